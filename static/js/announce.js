// Tells a screen reader what a sighted person sees happen. Polite: it waits until speech pauses.

export function announce(text) {
  document.getElementById("status").textContent = text;
}
