// A job as it goes, told by server-sent events. At its end the page is loaded again, with all that it has come to.

import { showState } from "/static/job_state.js";

const page = document.getElementById("job");
const field = (name) => page.querySelector(`[data-field="${name}"]`);
const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const WINDOW_MS = 10_000; // that the rate is taken over
const WEIGHT = 4096; // that a file counts beside its bytes, as in the progress

function size(count) {
  let unit = 0;
  for (; count >= 1024 && unit < UNITS.length - 1; unit += 1) count /= 1024;
  return `${count.toFixed(unit === 0 ? 0 : 1)} ${UNITS[unit]}`;
}

function duration(seconds) {
  if (seconds < 90) return `${Math.ceil(seconds)} s`;
  return seconds < 5400 ? `${Math.round(seconds / 60)} min` : `${(seconds / 3600).toFixed(1)} h`;
}

const seen = [];

/** Rate, and the time that is left at this rate; nothing until there is something to go by. */
function speed(job) {
  const now = performance.now();
  seen.push({ at: now, bytes: job.bytes_done, work: job.bytes_done + WEIGHT * job.files_done });
  while (seen.length > 2 && now - seen[1].at > WINDOW_MS) seen.shift();
  const last = seen[seen.length - 1];
  const seconds = (now - seen[0].at) / 1000;
  const done = last.work - seen[0].work;
  if (seconds < 1 || done <= 0) return "";
  const left = job.bytes_total + WEIGHT * job.files_total - last.work;
  return `${size((last.bytes - seen[0].bytes) / seconds)}/s, ${duration((left / done) * seconds)} left`;
}

function show(job) {
  showState(page, job);
  for (const name of ["files_done", "files_total", "path"]) field(name).textContent = job[name];
  for (const name of ["bytes_done", "bytes_total"]) field(name).textContent = size(job[name]);
  field("speed").textContent = job.state === "running" ? speed(job) : "";
}

const events = new EventSource(`/api/v1/jobs/${page.dataset.job}/events`);
events.addEventListener("progress", (event) => show(JSON.parse(event.data)));
events.addEventListener("end", (event) => {
  events.close();
  show(JSON.parse(event.data));
  location.reload();
});
