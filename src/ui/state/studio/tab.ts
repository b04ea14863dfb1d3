/** The panel's tabs. */
export type TabId = "picture" | "crop" | "tags" | "groups" | "reg" | "layout" | "statistics" | "files";
