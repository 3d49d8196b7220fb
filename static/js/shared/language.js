// The same page in the other language: the link keeps the whole address, and `lang` leaves it once it is remembered.

export function offerLanguages() {
  for (const link of /** @type {NodeListOf<HTMLAnchorElement>} */ (document.querySelectorAll("[data-language]"))) {
    const { search } = link;
    const aim = () => {
      const address = new URL(location.href);
      address.searchParams.set("lang", new URLSearchParams(search).get("lang") ?? "");
      link.href = address.href;
    };
    for (const event of ["pointerdown", "click"]) link.addEventListener(event, aim);
  }
  const address = new URL(location.href);
  if (!address.searchParams.has("lang") || !document.cookie.includes("gradoscope-language=")) return;
  address.searchParams.delete("lang");
  history.replaceState(history.state, "", address);
}
