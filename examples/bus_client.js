// Prints the units that are most active, as the animal runs: a client in another language than the rig's.
//
//     node examples/bus_client.js [SESSION]      (the newest session of this machine, unless named)
//
// It needs Node.js alone. What it knows is in docs/bus.md: the first half here is ZeroMQ's protocol and msgpack,
// as far as they are needed; a program of your own takes the packages `zeromq` and `@msgpack/msgpack` for them.
"use strict";
const fs = require("fs");
const net = require("net");
const os = require("os");
const path = require("path");

// --- ZeroMQ (ZMTP 3.0, no security) over a Unix socket ---------------------------------------------------

class ZmqSocket {
  // Calls onMessage with the frames (Buffers) of each message.
  constructor(file, type, onMessage) {
    this.type = type;
    this.onMessage = onMessage;
    this.chunks = []; // received and not looked at yet,
    this.size = 0; // so many bytes,
    this.needed = 64; // of which so many make the next step: first the other side's greeting
    this.frames = [];
    this.greeted = this.ready = false;
    this.waiting = [];
    this.wire = net.connect(file);
    this.wire.on("data", (bytes) => this.take(bytes));
    this.wire.on("error", (problem) => fail(`${file}: ${problem.message}`));
    const greeting = Buffer.alloc(64); // signature, version 3.0, mechanism, no server
    greeting[0] = 0xff;
    greeting[9] = 0x7f;
    greeting[10] = 3;
    greeting.write("NULL", 12, "ascii");
    this.wire.write(greeting);
  }

  send(frames) {
    if (!this.ready) return void this.waiting.push(frames);
    frames.forEach((frame, k) => this.write(k < frames.length - 1 ? 1 : 0, Buffer.from(frame)));
  }

  write(flags, body) {
    const head = Buffer.alloc(9);
    head[0] = flags | 2; // a long frame: its size has eight bytes
    head.writeBigUInt64BE(BigInt(body.length), 1);
    this.wire.write(head);
    this.wire.write(body);
  }

  take(bytes) {
    this.chunks.push(bytes);
    this.size += bytes.length;
    if (this.size < this.needed) return; // a long frame comes in many pieces
    let data = Buffer.concat(this.chunks);
    if (!this.greeted) {
      data = data.subarray(64);
      this.greeted = true;
      const property = (name, value) => {
        const size = Buffer.alloc(4);
        size.writeUInt32BE(value.length);
        return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), size, Buffer.from(value)]);
      };
      this.write(4, Buffer.concat([Buffer.from("\x05READY"), property("Socket-Type", this.type)]));
    }
    for (;;) {
      const head = data.length > 0 && data[0] & 2 ? 9 : 2;
      this.needed = head;
      if (data.length < head) break;
      const size = head === 9 ? Number(data.readBigUInt64BE(1)) : data[1];
      this.needed = head + size;
      if (data.length < head + size) break;
      this.takeFrame(data[0], data.subarray(head, head + size));
      data = data.subarray(head + size);
    }
    this.chunks = [data];
    this.size = data.length;
  }

  takeFrame(flags, body) {
    if (flags & 4) {
      const command = body.subarray(1, 1 + body[0]).toString();
      if (command === "ERROR") fail(`the session refuses the connection: ${body.subarray(7)}`);
      if (command !== "READY") return;
      this.ready = true;
      this.waiting.splice(0).forEach((frames) => this.send(frames));
      return;
    }
    this.frames.push(body);
    if (!(flags & 1)) this.onMessage(this.frames.splice(0));
  }
}

// --- msgpack ---------------------------------------------------------------------------------------------

function unpack(data) {
  let at = 0;
  const number = (read, size) => (at += size, Number(data[read](at - size)));
  const text = (size) => (at += size, data.toString("utf8", at - size, at));
  const bytes = (size) => (at += size, data.subarray(at - size, at));
  const list = (size) => Array.from({ length: size }, value);
  const map = (size) => Object.fromEntries(Array.from({ length: size }, () => [value(), value()]));
  const byCode = {
    0xc0: () => null, 0xc2: () => false, 0xc3: () => true,
    0xc4: () => bytes(number("readUInt8", 1)), 0xc5: () => bytes(number("readUInt16BE", 2)),
    0xc6: () => bytes(number("readUInt32BE", 4)),
    0xca: () => number("readFloatBE", 4), 0xcb: () => number("readDoubleBE", 8),
    0xcc: () => number("readUInt8", 1), 0xcd: () => number("readUInt16BE", 2),
    0xce: () => number("readUInt32BE", 4), 0xcf: () => number("readBigUInt64BE", 8),
    0xd0: () => number("readInt8", 1), 0xd1: () => number("readInt16BE", 2),
    0xd2: () => number("readInt32BE", 4), 0xd3: () => number("readBigInt64BE", 8),
    0xd9: () => text(number("readUInt8", 1)), 0xda: () => text(number("readUInt16BE", 2)),
    0xdb: () => text(number("readUInt32BE", 4)),
    0xdc: () => list(number("readUInt16BE", 2)), 0xdd: () => list(number("readUInt32BE", 4)),
    0xde: () => map(number("readUInt16BE", 2)), 0xdf: () => map(number("readUInt32BE", 4)),
  };
  function value() {
    const code = data[at++];
    if (code < 0x80) return code;
    if (code < 0x90) return map(code & 15);
    if (code < 0xa0) return list(code & 15);
    if (code < 0xc0) return text(code & 31);
    if (code >= 0xe0) return code - 256;
    return byCode[code]();
  }
  return value();
}

function pack(value) {
  const sized = (code, size, body) => {
    const head = Buffer.alloc(5);
    head[0] = code;
    head.writeUInt32BE(size, 1);
    return Buffer.concat([head, ...body]);
  };
  if (value === null) return Buffer.from([0xc0]);
  if (typeof value === "boolean") return Buffer.from([value ? 0xc3 : 0xc2]);
  if (typeof value === "string") return sized(0xdb, Buffer.byteLength(value), [Buffer.from(value)]);
  if (Array.isArray(value)) return sized(0xdd, value.length, value.map(pack));
  if (typeof value === "object") {
    const pairs = Object.entries(value);
    return sized(0xdf, pairs.length, pairs.flat().map(pack));
  }
  const head = Buffer.alloc(9);
  head[0] = Number.isInteger(value) ? 0xd3 : 0xcb;
  if (Number.isInteger(value)) head.writeBigInt64BE(BigInt(value), 1);
  else head.writeDoubleBE(value, 1);
  return head;
}

// --- the rig's bus ---------------------------------------------------------------------------------------

const READERS = {
  "<f8": [8, "readDoubleLE"], "<f4": [4, "readFloatLE"], "<i8": [8, "readBigInt64LE"],
  "<i4": [4, "readInt32LE"], "<i2": [2, "readInt16LE"], "|u1": [1, "readUInt8"], "|b1": [1, "readUInt8"],
};

// The header of a message, and a function that gives an array of it by name, as a flat list of numbers.
function decode([topic, packed, payload]) {
  const header = unpack(packed);
  if (header.version !== 1) fail(`the session speaks version ${header.version} of the bus`);
  const place = {};
  let offset = 0;
  for (const [name, dtype, shape] of header.arrays) {
    const [size, read] = READERS[dtype];
    const count = shape.reduce((product, length) => product * length, 1);
    place[name] = { size, read, count, offset };
    offset += Math.ceil((size * count) / 8) * 8;
  }
  const array = (name) => {
    const { size, read, count, offset } = place[name];
    return Array.from({ length: count }, (_, k) => Number(payload[read](offset + k * size)));
  };
  return { topic: topic.toString(), header, array };
}

function command(verb, args, sequence) {
  const content = { type: "command", verb, args };
  const header = { version: 1, session: "", tick: -1, sequence, arrays: [], content };
  return ["command", pack(header), ""];
}

function sessionFolder(wanted) {
  const own = process.env.XDG_RUNTIME_DIR && path.join(process.env.XDG_RUNTIME_DIR, "rodent-rig");
  const shared = path.join(os.tmpdir(), `rodent-rig-${process.getuid()}`);
  const folder = own && fs.existsSync(own) ? own : shared;
  const sessions = (fs.existsSync(folder) ? fs.readdirSync(folder) : [])
    .map((name) => path.join(folder, name, "session.json"))
    .filter((note) => fs.existsSync(note))
    .map((note) => JSON.parse(fs.readFileSync(note, "utf8")))
    .filter(({ session }) => !wanted || session === wanted)
    .sort((one, other) => other.started_unix_s - one.started_unix_s);
  if (!sessions.length) fail("No session is running; start one with `rodent-rig run` or the window.");
  return path.join(folder, sessions[0].session);
}

function fail(sentence) {
  console.error(sentence);
  process.exit(1);
}

// --- what this client does -------------------------------------------------------------------------------

const folder = sessionFolder(process.argv[2]);
let units = null; // "core/0", "core/1", …

const requests = new ZmqSocket(path.join(folder, "command"), "DEALER", (frames) => {
  const { topic, header } = decode(frames);
  if (topic === "description") {
    units = header.content.layers.flatMap(({ name, n_units }) =>
      Array.from({ length: n_units }, (_, unit) => `${name}/${unit}`));
  } else if (topic === "reply" && !header.content.ok) {
    fail(header.content.error);
  }
});
requests.send(command("join", {}, 1));

const stream = new ZmqSocket(path.join(folder, "stream"), "SUB", (frames) => {
  const { header, array } = decode(frames);
  if (units === null || header.tick % 25) return;
  const activity = array("h_applied");
  const most = activity.map((_, unit) => unit).sort((a, b) => Math.abs(activity[b]) - Math.abs(activity[a]));
  const shown = most.slice(0, 6).map((unit) => `${units[unit]} ${activity[unit] < 0 ? "" : "+"}${activity[unit].toFixed(2)}`);
  console.log(`tick ${header.tick}: ${shown.join("  ")}`);
});
stream.send(["\x01tick"]); // subscribes to this topic

const status = new ZmqSocket(path.join(folder, "status"), "SUB", () => process.exit(0));
status.send(["\x01end"]);
