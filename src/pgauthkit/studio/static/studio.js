// What starlette-admin's templates have in attributes, which the Content-Security-Policy forbids.
document.addEventListener("click", (event) => {
  if (event.target.closest('[data-studio="columns"]')) applyColumnVisibility();
});
document.addEventListener("change", (event) => {
  const select = event.target.closest('[data-studio="go"]');
  if (select) window.location = select.value;
});

// Whether columns go on to the right, which the scroll bar of a phone or of macOS does not say.
function sayMore(table) {
  const note = document.querySelector('[data-studio="more"]');
  const edge = table.getBoundingClientRect().right + 1;
  const headers = [...table.querySelectorAll("th[data-column]")];
  const hidden = headers.filter((header) => header.getBoundingClientRect().right > edge).length;
  note.querySelector('[data-studio="more-count"]').textContent = hidden === 1 ? "1 column goes" : `${hidden} columns go`;
  note.hidden = hidden === 0;
}
window.addEventListener("load", () => {
  const table = document.querySelector(".table-responsive:has(th[data-column])");
  if (!table) return;
  const say = () => sayMore(table);
  table.addEventListener("scroll", say, { passive: true });
  window.addEventListener("resize", say);
  say();
});

// What a delete takes with it is asked before it can be confirmed.
let asked = 0;
function deleted(button) {
  const key = window.location.pathname.split("/").filter(Boolean)[0];
  const query = new URLSearchParams({ name: "delete", rehearsal: "1" });
  if (button.dataset.saIsRowAction === "true") {
    const row = button.closest("tr[data-sa-pk]");
    query.append("pk", row ? row.dataset.saPk : new URLSearchParams(window.location.search).get("pk"));
    return `/_api/${key}/row-action?${query}`;
  }
  const every = document.querySelector('[data-sa-hook="select-all-banner-all"]');
  if (every && !every.classList.contains("d-none")) query.append("all", "1");
  else document.querySelectorAll(".row-checkbox:checked").forEach((box) => query.append("pks", box.value));
  query.append("_list_query", window.location.search);
  return `/_api/${key}/action?${query}`;
}
async function goes(button) {
  const headers = { "X-CSRFToken": Cookies.get("starlette_admin_csrftoken") };
  try {
    const answer = await fetch(deleted(button), { method: "POST", headers });
    const found = await answer.json();
    return answer.ok ? found : { refused: found.msg ?? "The studio refused to count." };
  } catch {
    return { refused: "The studio does not answer." };
  }
}
document.addEventListener("show.bs.modal", async (event) => {
  const button = event.relatedTarget;
  const submit = event.target.querySelector('[data-sa-action="action-submit"]');
  if (!submit) return;
  const turn = ++asked;
  submit.disabled = button.dataset.saName === "delete";
  if (!submit.disabled) return;
  const place = event.target.querySelector('[data-sa-hook="modal-form"]');
  place.textContent = "Counting what goes with it…";
  const found = await goes(button);
  if (turn !== asked) return;
  submit.disabled = Boolean(found.refused);
  const list = document.createElement("ul");
  list.className = "studio-goes mt-2";
  for (const sentence of found.sentences ?? [found.refused]) {
    const item = document.createElement("li");
    item.textContent = sentence;
    list.append(item);
  }
  const head = found.refused ? "It cannot be deleted:" : "This is what it changes:";
  place.replaceChildren(head, list);
});
