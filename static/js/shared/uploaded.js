// Maps that were made elsewhere, and uploaded beside ours: their method is "uploaded-1", "uploaded-2", …

/** @param {string} method */
export const isUploaded = (method) => /^uploaded-\d+$/.test(method);
