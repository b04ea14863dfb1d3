/** Colours by the name that captions call them. Hex without `#`, as DiceBear takes them. */
export const backgrounds = {
  blue: "9fd4f2", green: "b4e4b0", pink: "ffc4d4", yellow: "fdeea0", purple: "c6b4ec", orange: "ffca94", grey: "cfcfcf",
  white: "ffffff",
};

export const hair = {
  black: "262230", brown: "7a4a2b", blonde: "e3bd66", red: "c93305", pink: "f28bab", grey: "c9c6c3", blue: "4a78d8",
};

export const skin = { pale: "ffdbb4", tan: "e0a270", brown: "ae5d29", dark: "694331" };

export const clothes = {
  black: "2f3338", blue: "4d86dd", red: "ec5252", green: "5cb860", yellow: "f4cf4c", pink: "fa8fbc", white: "f4f4f4",
  grey: "8d9296", purple: "8f6ad0",
};

export const leather = "8a5a35";
