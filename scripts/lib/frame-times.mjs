/** How long scripts run in each frame while a page scrolls, from Chromium's trace: layout and drawing are not counted. */

const scripts = new Set(["FunctionCall", "EvaluateScript", "RunMicrotasks", "EventDispatch", "FireAnimationFrame", "TimerFire", "V8.GC_MC_INCREMENTAL"]);
const frames = 240;

/** @param target selector of what scrolls, or of something in it @returns milliseconds, one for each frame */
export async function scriptPerFrame(page, target) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const done = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["devtools.timeline", "blink.user_timing"] } });
  const distance = await page.evaluate(async ([selector, count]) => {
    const scroller = [...document.querySelectorAll(selector)].find((element) => element.scrollHeight > element.clientHeight + 1000);
    if (scroller === undefined) throw new Error("Nothing here scrolls");
    const from = scroller.scrollTop;
    for (let frame = 0; frame < count; frame++) {
      await new Promise((resolve) => requestAnimationFrame(resolve));
      performance.mark("frame");
      // Slowly, then fast, then from place to place.
      scroller.scrollTop += frame < count / 3 ? 60 : frame < (2 * count) / 3 ? 600 : 9000;
    }
    return scroller.scrollTop - from;
  }, [target, frames]);
  if (distance < 1000) throw new Error(`It scrolled only ${distance} pixels`);
  await session.send("Tracing.end");
  await done;
  await session.detach();
  const marks = events.filter(({ name, cat }) => name === "frame" && cat.includes("user_timing")).sort((a, b) => a.ts - b.ts);
  const thread = marks[0]?.tid;
  const own = events.filter(({ name, tid, ph }) => ph === "X" && tid === thread && scripts.has(name)).sort((a, b) => a.ts - b.ts);
  const times = marks.slice(0, -1).map(() => 0);
  let end = 0;
  for (const { ts, dur = 0, tdur } of own) {
    // What runs inside something that was counted is counted already.
    if (ts < end) continue;
    end = ts + dur;
    const frame = marks.findLastIndex((mark) => mark.ts <= ts);
    // Time of the thread, not of the clock: whatever else this machine does is not the page's doing.
    if (frame >= 0 && frame < times.length) times[frame] += (tdur ?? dur) / 1000;
  }
  return times;
}
