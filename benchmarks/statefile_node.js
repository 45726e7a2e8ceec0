// The process in which npm's write-file-atomic is measured: statefile_node.js MODULE FOLDER, with orders as in
// statefile_worker.py.
"use strict";
const fs = require("fs");
const path = require("path");
const readline = require("readline");

const [modulePath, root] = process.argv.slice(2);
const writeFileAtomic = require(modulePath);
let stamp = 0;

const writers = {
  "npm-sync": async (file, content) => writeFileAtomic.sync(file, content),
  "npm-async": (file, content) => writeFileAtomic(file, content),
};

function nextContent(size) {
  const content = Buffer.alloc(size, "x");
  content.write(String(++stamp).padStart(16, "0"));
  return content;
}

async function obey(name, size, count) {
  const folder = path.join(root, `${name}-${size}`);
  fs.mkdirSync(folder, { recursive: true });
  const file = path.join(folder, "state.json");
  const took = [];
  for (let i = 0; i < count; i++) {
    const content = nextContent(size);
    const began = process.hrtime.bigint();
    await writers[name](file, content);
    took.push(process.hrtime.bigint() - began);
  }
  return took.join(" ");
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    const [name, size, count] = line.split(" ");
    const answer = await obey(name, Number(size), Number(count)).catch((error) => `! ${error}`);
    process.stdout.write(`${answer.replaceAll("\n", " ")}\n`);
  }
}

main();
