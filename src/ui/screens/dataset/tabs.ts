/** What the panel beside the gallery offers, in the order of the work. Each finds what it acts on in `App.studio`. */
import type { Component } from "svelte";
import type { TabId } from "../../state/studio/tab.ts";
import CropPanel from "./crop/CropPanel.svelte";
import AutoTagPanel from "./tag/AutoTagPanel.svelte";
import TagsPanel from "./captions/TagsPanel.svelte";
import GroupsPanel from "./groups/GroupsPanel.svelte";
import FilesPanel from "./layout/FilesPanel.svelte";
import LayoutPanel from "./layout/LayoutPanel.svelte";
import PicturePanel from "./PicturePanel.svelte";
import ClassPicturesCard from "./reg/ClassPicturesCard.svelte";
import StatisticsPanel from "./statistics/StatisticsPanel.svelte";

export const tabs: readonly { readonly id: TabId; readonly component: Component }[] = [
  { id: "picture", component: PicturePanel },
  { id: "crop", component: CropPanel },
  { id: "autoTag", component: AutoTagPanel },
  { id: "tags", component: TagsPanel },
  { id: "groups", component: GroupsPanel },
  { id: "reg", component: ClassPicturesCard },
  { id: "layout", component: LayoutPanel },
  { id: "statistics", component: StatisticsPanel },
  { id: "files", component: FilesPanel },
];
