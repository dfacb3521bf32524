import { setFlagsFromString } from 'node:v8';

/** Lets V8 keep its heap and the limits of the heap while the gateway has few requests, as they were under load.
 *
 *  - V8's memory reducer would collect the heap, without the hidden classes of objects that exist only during a request, and
 *    with them the compiled code of hundreds of functions.
 *  - Collections of the young generation would lower the size at which a full collection starts. Under load, several full
 *    collections could then follow each other in each second. */
export function keepIdleHeap(v8Version = process.versions.v8, setFlags = setFlagsFromString): void {
  // V8 of Node 22 knows neither flag, and that of Node 25 not the second one. The minor version has one digit.
  if (Number.parseFloat(v8Version) < 14.6) return;
  // For ever: `--no-memory-reducer` has no effect on a heap that exists already. A reducer that has finished would be worse
  // than one that waits, because V8 lets the heap grow less between full collections from then on.
  setFlags('--memory-reducer-delay-ms=2147483647');
  setFlags('--no-scavenger-updates-allocation-limit');
}
