// Whether the connection is slow, by what was measured on it.

const SLOW_MS = 400; // from asking for a record to having it: what Fast 3G takes for the way there and back alone

/**
 * Whether an explanation's record took long to come.
 * @param {string | null} id
 */
export function cameSlowly(id) {
  if (!id) return false;
  const path = `/api/v1/explanations/${encodeURIComponent(id)}`;
  return performance.getEntriesByType("resource").some(({ name, duration }) => new URL(name).pathname === path && duration > SLOW_MS);
}
