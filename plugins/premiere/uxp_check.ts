// Adobe's own declarations of the module "uxp" must have what host.d.ts says of it. They cannot be used by the panel: they
// declare the DOM anew, beside TypeScript's.
import * as uxp from "uxp";

type SecureStorage = typeof uxp.secureStorage;
export const bytes: (storage: SecureStorage) => Promise<Uint8Array> = (storage) => storage.getItem("hl-token");
export const keep: (storage: SecureStorage) => Promise<void> = (storage) => storage.setItem("hl-token", "text");
export const forget: (storage: SecureStorage) => Promise<void> = (storage) => storage.removeItem("hl-token");
export const host: { name: string; version: string } = uxp.host;
export const pick = (system: uxp.storage.FileSystemProvider) => system.getFileForOpening({ types: ["otio", "xml"] });
