// What scripts of all pages share.

/** The visitor's token, which every request that changes something sends back. */
export const csrf = document.querySelector('meta[name="csrf"]').content;

/** Fetches, with the token; throws an Error with the server's own message where it refuses. */
export async function call(method, url, body, headers = {}) {
  const response = await fetch(url, { method, body, headers: { Accept: "application/json", "X-CSRF-Token": csrf, ...headers } });
  if (!response.ok) {
    const told = await response.json().catch(() => null);
    throw new Error(told?.error?.message ?? `The console answered ${response.status}.`);
  }
  return response;
}

// A form that asks before it does what cannot simply be undone: <form data-confirm="Delete it?">
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});
