// What starlette-admin's templates have in attributes, which the Content-Security-Policy forbids.
document.addEventListener("click", (event) => {
  if (event.target.closest('[data-studio="columns"]')) applyColumnVisibility();
});
document.addEventListener("change", (event) => {
  const select = event.target.closest('[data-studio="go"]');
  if (select) window.location = select.value;
});
