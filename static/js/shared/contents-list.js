// The table of contents marks the section that is being read.

export function markCurrentSection() {
  const links = new Map([.../** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll(".timeline a"))].map((link) => [link.hash.slice(1), link]));
  const sections = [...links.keys()].flatMap((id) => document.getElementById(id) ?? []);
  const seen = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) seen[isIntersecting ? "add" : "delete"](target.id);
    const current = sections.find(({ id }) => seen.has(id))?.id;
    for (const [id, link] of links) {
      if (id === current) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }, { rootMargin: "-20% 0px -70% 0px" }); // a band a third down the window: what the eye is on
  for (const section of sections) observer.observe(section);
}
