/** The panel's tabs. */
export type TabId = "picture" | "crop" | "autoTag" | "tags" | "groups" | "reg" | "layout" | "statistics" | "files";
