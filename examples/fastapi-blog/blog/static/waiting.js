"use strict";
// Presses the button of the page, as it were, until the answer leads somewhere.
const form = document.getElementById("waiting");

async function ask() {
  let seconds = 3;
  try {
    const answer = await fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) });
    if (answer.redirected) {
      location.replace(answer.url);
      return;
    }
    seconds = Number(answer.headers.get("Retry-After")) || seconds;
  } catch {
    // No network for a moment.
  }
  setTimeout(ask, seconds * 1000);
}

setTimeout(ask, 2000);
