// The modules that the host gives the panel.

declare module "premierepro" {
  const module: import("@adobe/premierepro").premierepro;
  export = module;
}

// Adobe's @adobe/cc-ext-uxp-types declares the DOM anew and does not go together with TypeScript's own, which
// knows more of what the panel uses; the few calls into the module "uxp" are declared here from it.
declare module "uxp" {
  interface SecureStorage {
    getItem(key: string): Promise<Uint8Array | null | undefined>;
    setItem(key: string, value: string): Promise<void>;
    removeItem(key: string): Promise<void>;
  }
  interface PickedFile {
    nativePath: string;
    read(): Promise<string>;
  }
  const host: { name: string; version: string };
  const storage: {
    secureStorage: SecureStorage;
    localFileSystem: { getFileForOpening(options: { types: string[] }): Promise<PickedFile | null> };
  };
}
