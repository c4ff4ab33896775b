// Uploads of a page of files: what is dropped or chosen becomes one commit, by a transaction, or nothing does.

import { call, csrf } from "/static/console.js";

const AT_A_TIME = 3;
const MOST_SHOWN = 200; // rows; the bar above them counts all

const section = document.getElementById("upload");
const form = section.querySelector("form");
const message = form.elements.message;
const problem = form.querySelector(".problem");
const total = form.querySelector(".total");
const all = form.querySelector("progress.all");
const rows = form.querySelector(".sent");
const start = form.querySelector(".primary");
const { repo, branch, prefix, here } = section.dataset;
const uploads = `/repos/${encodeURIComponent(repo)}/uploads`;

let files = new Map(); // key → {file, sent, row}
let running = null; // the upload under way: {id, requests, cancelled}

// ---------------------------------------------------------------- what is to be sent

function add(found) {
  if (running) return;
  for (const { path, file } of found) files.set(prefix + path, { file, sent: 0, row: null });
  show();
}

function show() {
  form.hidden = files.size === 0;
  problem.hidden = true;
  message.placeholder = standardMessage();
  rows.replaceChildren(...[...files].slice(0, MOST_SHOWN).map(([key, item]) => (item.row = row(key, item.file))));
  if (files.size > MOST_SHOWN) {
    const more = document.createElement("li");
    more.textContent = `and ${files.size - MOST_SHOWN} more`;
    rows.append(more);
  }
  progress();
}

function row(key, file) {
  const item = document.createElement("li");
  const [name, state] = [document.createElement("bdi"), document.createElement("span")];
  name.textContent = key.slice(prefix.length);
  state.className = "dim";
  state.textContent = readable(file.size);
  const bar = document.createElement("progress");
  Object.assign(bar, { max: Math.max(1, file.size), value: 0, ariaLabel: name.textContent });
  item.append(name, bar, state);
  return item;
}

function standardMessage() {
  const names = [...files.keys()];
  return names.length === 1 ? `upload ${names[0]}` : `upload ${names.length} files to ${prefix || "/"}`;
}

function progress() {
  let [sent, size] = [0, 0];
  for (const item of files.values()) {
    sent += item.sent;
    size += item.file.size;
  }
  all.max = Math.max(1, size);
  all.value = sent;
  total.textContent = `${files.size} ${files.size === 1 ? "file" : "files"}, ${readable(sent)} of ${readable(size)}`;
}

function readable(bytes) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let unit = 0;
  for (; bytes >= 1024 && unit < units.length - 1; unit++) bytes /= 1024;
  return `${bytes.toFixed(unit ? 1 : 0)} ${units[unit]}`;
}

function mark(item, text) {
  if (item.row) item.row.lastChild.textContent = text;
}

// ---------------------------------------------------------------- sending

async function upload() {
  const state = (running = { id: null, requests: new Set(), cancelled: false });
  start.disabled = true;
  problem.hidden = true;
  for (const item of files.values()) item.sent = 0;
  try {
    const begun = await call("POST", `${uploads}?${new URLSearchParams({ branch })}`);
    state.id = (await begun.json()).id;
    await sendAll(state);
    const body = JSON.stringify({ message: message.value.trim() || standardMessage() });
    const done = await call("POST", `${uploads}/${state.id}/commit`, body, { "Content-Type": "application/json" });
    state.id = null;
    const { commit_id: commit } = await done.json();
    if (commit) {
      running = null;
      location.assign(`${here}&committed=${commit}`);
      return;
    }
    tell("All of this is there already: nothing has changed.");
  } catch (error) {
    state.cancelled = true;
    for (const request of state.requests) request.abort();
    await abandon(state, error);
  }
  running = null;
  start.disabled = false;
}

/** A few files at a time; the first that fails ends all. */
async function sendAll(state) {
  const waiting = [...files];
  const sendNext = async () => {
    for (let next; !state.cancelled && (next = waiting.shift()); ) await send(state, ...next);
    if (state.cancelled) throw new Error("Cancelled.");
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, sendNext));
}

/** XMLHttpRequest, since fetch() tells nothing of an upload's progress. */
function send(state, key, item) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    const fail = (text) => {
      mark(item, "failed");
      reject(new Error(`${key}: ${text}`));
    };
    request.onabort = () => {
      mark(item, "not sent");
      reject(new Error("Cancelled."));
    };
    state.requests.add(request);
    request.open("PUT", `${uploads}/${state.id}?${new URLSearchParams({ key })}`);
    request.setRequestHeader("X-CSRF-Token", csrf);
    request.setRequestHeader("Accept", "application/json");
    request.responseType = "json";
    request.upload.onprogress = ({ loaded }) => {
      item.sent = Math.min(loaded, item.file.size);
      if (item.row) item.row.querySelector("progress").value = loaded;
      progress();
    };
    request.onload = () => {
      if (request.status >= 300) return fail(request.response?.error?.message ?? `the console answered ${request.status}.`);
      item.sent = item.file.size;
      if (item.row) item.row.querySelector("progress").value = Math.max(1, item.sent);
      mark(item, "sent");
      progress();
      resolve();
    };
    request.onerror = () => fail("the connection was lost, or the file could not be read.");
    request.onloadend = () => state.requests.delete(request);
    request.send(item.file);
  });
}

async function abandon(state, error) {
  const told = [error.message.replace(/[^.]$/, "$&.")];
  if (state.id) {
    try {
      await call("DELETE", `${uploads}/${state.id}`);
      told.push("Nothing was uploaded.");
    } catch {
      told.push("Nothing of it shows, and what was sent is forgotten in two days."); // the transaction expires
    }
  }
  tell(told.join(" "));
}

function tell(text) {
  problem.textContent = text;
  problem.hidden = false;
}

// ---------------------------------------------------------------- what the visitor does

form.addEventListener("submit", (event) => {
  event.preventDefault();
  if (!running && files.size) upload();
});

form.querySelector(".cancel").addEventListener("click", () => {
  if (running) {
    running.cancelled = true;
    for (const request of running.requests) request.abort();
  } else {
    files = new Map();
    show();
  }
});

for (const input of section.querySelectorAll("input[type=file]")) {
  input.addEventListener("change", () => {
    add([...input.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })));
    input.value = "";
  });
}

addEventListener("dragover", (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  section.classList.add("over");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) section.classList.remove("over");
});
addEventListener("drop", async (event) => {
  if (!event.dataTransfer?.types.includes("Files")) return;
  event.preventDefault();
  section.classList.remove("over");
  // Both are to be asked for before anything is awaited: the list is empty afterwards.
  const items = [...event.dataTransfer.items].filter(({ kind }) => kind === "file");
  const dropped = items.map((item) => [item.webkitGetAsEntry(), item.getAsFile()]);
  try {
    for (const [entry, file] of dropped) add(entry ? await filesOf(entry) : [{ path: file.name, file }]);
  } catch (error) {
    form.hidden = false;
    tell(`What was dropped cannot be read: ${error.message}`);
  }
  section.scrollIntoView({ block: "nearest" });
});

addEventListener("beforeunload", (event) => {
  if (running) event.preventDefault();
});
addEventListener("pagehide", () => {
  if (running?.id) fetch(`${uploads}/${running.id}`, { method: "DELETE", keepalive: true, headers: { "X-CSRF-Token": csrf } });
});

/** All files of a dropped file or folder, with their paths from where it was dropped. */
async function filesOf(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    return [{ path: entry.fullPath.replace(/^\//, ""), file }];
  }
  const reader = entry.createReader();
  const found = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)); // a hundred at most
    if (some.length === 0) return found;
    for (const inner of some) found.push(...(await filesOf(inner)));
  }
}
