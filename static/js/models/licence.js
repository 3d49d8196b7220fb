import { t } from "../shared/texts.js";

const UNKNOWN = "not stated"; // what the server says where a card names none

/**
 * A model's licence for people, with the word.
 * @param {string} licence
 */
export const licenceText = (licence) => (licence && licence !== UNKNOWN ? t("model.licence", { licence }) : t("model.licence.unknown"));
