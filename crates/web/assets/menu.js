// Menus are <details>: they open and close by themselves. This closes them by Escape, by a click outside and when focus
// leaves, and moves between their entries with the arrow keys.
const menus = [...document.querySelectorAll("details.menu")];

function entries(menu) {
  return [...menu.querySelectorAll("li a, li button")];
}

for (const menu of menus) {
  const opener = menu.querySelector("summary");
  menu.addEventListener("keydown", (event) => {
    const all = entries(menu);
    const at = all.indexOf(document.activeElement);
    if (event.key === "Escape" && menu.open) {
      menu.open = false;
      opener.focus();
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      menu.open = true;
      const step = event.key === "ArrowDown" ? 1 : -1;
      const next = at === -1 && step === -1 ? all.length - 1 : (at + step + all.length) % all.length;
      all[next]?.focus();
    }
  });
  menu.addEventListener("focusout", (event) => {
    if (event.relatedTarget && !menu.contains(event.relatedTarget)) menu.open = false;
  });
}

document.addEventListener("click", (event) => {
  for (const menu of menus) if (!menu.contains(event.target)) menu.open = false;
});
