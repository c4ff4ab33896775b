// How jobs are shown while they run, in the list and on their own page.

const KINDS = { success: "good", error: "bad", cancelled: "warn" };

/** Puts a job's state and progress where `place` shows them. */
export function showState(place, job) {
  const state = place.querySelector('[data-field="state"]');
  state.textContent = job.cancelling ? "cancelling" : job.state;
  state.className = `tag ${KINDS[job.state] ?? ""}`;
  place.querySelector("progress").value = Number.parseInt(job.progress, 10);
  place.querySelector('[data-field="progress"]').textContent = job.progress;
}
