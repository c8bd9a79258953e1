// Sending what was typed without losing it: offline it is said, and whose session has ended signs in again in place.
import { adoptToken, csrfToken, userEmail, userId } from "./page.js";
import { showDialog } from "./dialogs.js";
import { showToast } from "./toasts.js";

const say = (name) => showToast({ text: document.body.dataset[name], tone: "bad" });

/** What the answer wants to have said, if anything. */
export function toastOf(answer) {
  const trigger = answer.headers.get("HX-Trigger");
  return trigger?.startsWith("{") ? JSON.parse(trigger).toast : null;
}

/** The server's answer; null when it could not be asked, which has been said. */
export async function send(url, body, headers) {
  let answer;
  try {
    answer = await fetch(url, { method: "POST", body, headers: { "X-CSRF-Token": csrfToken(), ...headers } });
  } catch {
    say("offline");
    return null;
  }
  const isOld = answer.status === 403 && answer.headers.get("Comptoir-Error") === "core.csrf";
  if (answer.status !== 401 && !isOld) return answer;
  if (await signInAgain()) return send(url, body, headers);
  say("signedOut");
  return null;
}

let asking;

/** Whether the same person is signed in again; asked once, however many parts of the page need it. */
function signInAgain() {
  asking ??= ask().catch(() => false).finally(() => { asking = undefined; });
  return asking;
}

function isRenewed(answer) {
  const token = answer.headers.get("Comptoir-Token");
  if (!token) return false;
  if (answer.headers.get("Comptoir-User") === userId()) adoptToken(token);
  else location.reload();  // somebody else's rights: this page is not theirs
  return true;
}

async function ask() {
  const answer = await fetch(`/login/again?email=${encodeURIComponent(userEmail())}`, { headers: { "HX-Request": "true" } });
  if (isRenewed(answer)) return true;
  if (!answer.ok) return false;
  const dialog = showDialog(await answer.text());
  return new Promise((resolve) => {
    let isIn = false;
    dialog.addEventListener("close", () => resolve(isIn));
    dialog.addEventListener("submit", async (event) => {
      event.preventDefault();
      event.stopPropagation();
      const button = event.target.querySelector("button:not([type])");
      button.classList.add("is-busy");
      try {
        const tried = await fetch(event.target.action, { method: "POST", body: new FormData(event.target), headers: { "Comptoir-Form": "true" } });
        isIn = isRenewed(tried);
        if (isIn) dialog.close();
        else dialog.innerHTML = await tried.text();
      } catch {
        say("offline");
      }
      button.classList.remove("is-busy");
      dialog.querySelector("[autofocus]")?.focus();
    });
  });
}
