// How the fake Premiere reads timelines: on its own, without the panel's code, in ticks.
"use strict";

const TICKS = 254016000000;

/** Ticks of a frame count; rates come as doubles, whole ticks come out. */
function ticksOf(value, rate) {
  const nominal = Math.round(rate);
  const isNtsc = Math.abs(rate - (nominal * 1000) / 1001) < 1e-6;
  const perFrame = isNtsc ? (TICKS / (nominal * 1000)) * 1001 : TICKS / nominal;
  if (!Number.isInteger(perFrame)) throw new Error(`${rate} is no rate the fake knows`);
  // Gaps beside clips of other rates have fractions of a frame.
  return BigInt(Math.floor(value)) * BigInt(perFrame) + BigInt(Math.round((value % 1) * perFrame));
}

/** An .otio timeline as sequence data: each clip keeps its length in ticks of its own rate. */
function importOtio(text, { markers, timecodePoints }) {
  const timeline = JSON.parse(text);
  const lanes = { Video: [], Audio: [] };
  for (const track of timeline.tracks.children) {
    let at = 0n;
    const items = [];
    for (const child of track.children) {
      const { start_time: from, duration } = child.source_range;
      const length = ticksOf(duration.value, duration.rate);
      if (child.OTIO_SCHEMA.startsWith("Clip.")) {
        const reference = child.media_references[child.active_media_reference_key];
        const base = timecodePoints ? 0 : reference.available_range.start_time.value;
        const path = decodeURIComponent(reference.target_url.replace(/^file:\/\//, ""));
        items.push({ start: at, end: at + length, inPoint: ticksOf(from.value - base, from.rate), path });
      }
      at += length;
    }
    lanes[track.kind].push(items);
  }
  const found = markers ? timeline.tracks.markers : [];
  return {
    name: timeline.name,
    video: lanes.Video,
    audio: lanes.Audio,
    markers: found.map((marker) => ({
      name: marker.name,
      start: ticksOf(marker.marked_range.start_time.value, marker.marked_range.start_time.rate),
      duration: ticksOf(marker.marked_range.duration.value, marker.marked_range.duration.rate),
      comments: marker.comment,
      color: 0,
    })),
  };
}

/** The pictures of an FCP7 XML sequence as sequence data. */
function importXml(text) {
  const sequence = text.slice(text.indexOf("<sequence"));
  const number = (block, tag) => Number(new RegExp(`<${tag}>(-?\\d+)</${tag}>`).exec(block)[1]);
  const base = number(sequence, "timebase");
  const rate = /<ntsc>TRUE<\/ntsc>/.test(sequence) ? (base * 1000) / 1001 : base;
  // Files have <video> and <audio> of their own, inside clips; sound of the sequence has a channel type.
  const items = sequence.split("<clipitem").slice(1).filter((block) => !/^[^>]*premiereChannelType/.test(block)).map((block) => ({
    start: ticksOf(number(block, "start"), rate),
    end: ticksOf(number(block, "end"), rate),
    inPoint: ticksOf(number(block, "in"), rate),
    path: "",
  }));
  return { name: /<name>([^<]*)<\/name>/.exec(sequence)[1], video: [items], audio: [[]], markers: [] };
}

module.exports = { importOtio, importXml };
