// Kinds of screens, as css/phone.css has them.

/** A phone, upright or on its side: one column that scrolls, what is asked and read in sheets. */
export const PHONE = matchMedia("(max-width: 600px), (max-width: 960px) and (max-height: 480px)");

/** A window in which maps are sized from the room that is left, as css/layout.css has them. */
export const WIDE = matchMedia("(min-width: 961px), (min-width: 901px) and (min-height: 481px)");
