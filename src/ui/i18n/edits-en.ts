/** What was done to a set of pictures, in English, by the code of the edit's label: shown beside Undo and Redo. */
export const editsEn = {
  rename: "Renamed to “{name}”",
  remove: "Removed pictures: {n}",
  crop: "Cropped pictures: {n}",
  uncrop: "Crops removed: {n}",
  cropParts: "Pictures split: {n}, into {parts} parts",
  flip: "Flipped copies added: {n}",
  mirror: "Mirrored pictures: {n}",
  import: "Added pictures: {n}, captions: {captions}",
  folders: "Changed the folders",
  move: "Moved pictures: {n}",
  split: "Half into regularization: {n}",
} as const;
