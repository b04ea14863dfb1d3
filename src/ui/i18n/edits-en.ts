/** What was done to a set of pictures, in English, by the code of the edit's label: shown beside Undo and Redo. */
export const editsEn = {
  rename: "Renamed to “{name}”",
  remove: "Removed pictures: {n}",
  mirror: "Mirrored pictures: {n}",
} as const;
