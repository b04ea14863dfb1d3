/** Regularization pictures beside training pictures: sd-scripts' balance between the two. */

export interface RepeatedPicture {
  readonly repeats: number;
  /** A regularization picture; absent means a training picture. */
  readonly isReg?: boolean;
}

/**
 * How often an epoch shows each picture. Regularization pictures are taken in order, with the repeats of their folder,
 * until there are as many as training pictures with repeats; what is left over is not shown. Where they are too few, each
 * is repeated once more in turn.
 * @returns one per picture, 0 for a regularization picture that is not shown
 */
export function balancedRepeats(pictures: readonly RepeatedPicture[]): number[] {
  const wanted = countWithRepeats(pictures, false);
  const repeats = pictures.map((picture) => (picture.isReg === true ? 0 : picture.repeats));
  const regular = [...pictures.entries()].filter(([, { isReg }]) => isReg === true);
  if (regular.length === 0) return repeats;
  let shown = 0;
  for (const [index, picture] of regular) {
    if (shown >= wanted) break;
    repeats[index] = picture.repeats;
    shown += picture.repeats;
  }
  for (let turn = 0; shown < wanted; turn = (turn + 1) % regular.length) {
    const [index] = regular[turn]!;
    repeats[index] = repeats[index]! + 1;
    shown++;
  }
  return repeats;
}

/** Pictures of one kind, each as often as its folder says; before any balance. */
export function countWithRepeats(pictures: readonly RepeatedPicture[], isReg: boolean): number {
  return pictures.reduce((sum, picture) => sum + ((picture.isReg === true) === isReg ? picture.repeats : 0), 0);
}
