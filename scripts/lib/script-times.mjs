/**
 * How long a page's scripts run, from Chromium's trace, in time of their thread: layout, drawing and whatever else the
 * machine does are not counted.
 */

const scripts = new Set(["FunctionCall", "EvaluateScript", "RunMicrotasks", "EventDispatch", "FireAnimationFrame", "TimerFire", "V8.GC_MC_INCREMENTAL"]);
const frames = 240;

/** Traces while `work` goes on. @returns marks, and pieces of script that lie in no other, both in order */
async function traced(page, work) {
  const session = await page.context().newCDPSession(page);
  const events = [];
  session.on("Tracing.dataCollected", ({ value }) => events.push(...value));
  const done = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
  await session.send("Tracing.start", { transferMode: "ReportEvents", traceConfig: { includedCategories: ["devtools.timeline", "blink.user_timing"] } });
  await work();
  await session.send("Tracing.end");
  await done;
  await session.detach();
  const marks = events.filter(({ name, cat }) => name === "bench" && cat.includes("user_timing")).sort((a, b) => a.ts - b.ts);
  const thread = marks[0]?.tid;
  const all = events.filter(({ name, tid, ph }) => ph === "X" && tid === thread && scripts.has(name)).sort((a, b) => a.ts - b.ts);
  let end = 0;
  const outer = all.filter(({ ts, dur = 0 }) => {
    if (ts < end) return false;
    end = ts + dur;
    return true;
  });
  return { marks, outer };
}

const milliseconds = ({ dur = 0, tdur = dur }) => tdur / 1000;

/** @param target selector of what scrolls @returns milliseconds, one for each frame */
export async function scriptPerFrame(page, target) {
  const { marks, outer } = await traced(page, async () => {
    const distance = await page.evaluate(async ([selector, count]) => {
      const scroller = [...document.querySelectorAll(selector)].find((element) => element.scrollHeight > element.clientHeight + 1000);
      if (scroller === undefined) throw new Error("Nothing here scrolls");
      const from = scroller.scrollTop;
      for (let frame = 0; frame < count; frame++) {
        await new Promise((resolve) => requestAnimationFrame(resolve));
        performance.mark("bench");
        // Slowly, then fast, then from place to place.
        scroller.scrollTop += frame < count / 3 ? 60 : frame < (2 * count) / 3 ? 600 : 9000;
      }
      return scroller.scrollTop - from;
    }, [target, frames]);
    if (distance < 1000) throw new Error(`It scrolled only ${distance} pixels`);
  });
  const times = marks.slice(0, -1).map(() => 0);
  for (const piece of outer) {
    const frame = marks.findLastIndex((mark) => mark.ts <= piece.ts);
    if (frame >= 0 && frame < times.length) times[frame] += milliseconds(piece);
  }
  return times;
}

/**
 * @param act run in the page, with `argument`; all that follows from it in microtasks counts as well
 * @returns milliseconds
 */
export async function scriptOf(page, act, argument) {
  const { marks, outer } = await traced(page, () => page.evaluate(async ([text, value]) => {
    const run = globalThis[text];
    await new Promise((resolve) => {
      setTimeout(() => {
        performance.mark("bench");
        run(value);
        setTimeout(resolve, 400);
      }, 50);
    });
  }, [act, argument]));
  const [mark] = marks;
  const piece = mark && outer.find(({ ts, dur = 0 }) => ts <= mark.ts && mark.ts <= ts + dur);
  if (piece === undefined) throw new Error(`The trace has nothing of ${act}`);
  return milliseconds(piece);
}
