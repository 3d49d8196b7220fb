// A classic script in the head: it runs before the first paint, so that neither a remembered theme
// nor an explanation's own address begins with a flash of something else.
(() => {
  const page = document.documentElement;
  if (location.pathname.startsWith("/e/")) page.dataset.opening = "";
  let theme = null;
  try {
    theme = localStorage.getItem("gradoscope.theme");
  } catch {
    // Storage may be switched off; the system's theme holds then.
  }
  if (theme === "light" || theme === "dark") page.dataset.theme = theme;
})();
