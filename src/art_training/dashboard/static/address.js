// What a page shows is in its address, so that it can be sent; back and forward show what was shown there.
(() => {
  const here = () => location.pathname + location.search;
  let shown = here();
  window.tellAddress = (address, turned) => {
    if (address === shown) return;
    history[turned ? "pushState" : "replaceState"](history.state, "", address);
    shown = here();
  };
  addEventListener("popstate", () => {
    if (here() !== shown) location.reload(); // not for a place within the page, such as its contents
  });
})();
