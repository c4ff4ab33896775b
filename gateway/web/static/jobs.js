// The list of jobs: those that run are looked at once a second.

import { call } from "/static/console.js";
import { showState } from "/static/job_state.js";

const EVERY_MS = 1000;

async function look() {
  const rows = [...document.querySelectorAll('tr[data-state="running"]')];
  if (rows.length === 0) return;
  if (!document.hidden) {
    const running = await (await call("GET", "/api/v1/jobs?state=running&limit=1000")).json();
    const known = new Map(running.jobs.map((job) => [String(job.id), job]));
    for (const row of rows) {
      const job = known.get(row.dataset.job) ?? (await (await call("GET", `/api/v1/jobs/${row.dataset.job}`)).json());
      showState(row, job);
      row.dataset.state = job.state;
    }
  }
  setTimeout(again, EVERY_MS);
}

// A console that is away for a moment is asked again.
const again = () => look().catch(() => setTimeout(again, 5 * EVERY_MS));
again();
