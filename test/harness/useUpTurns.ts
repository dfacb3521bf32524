import { jest } from '@jest/globals';

/** Each look at the clock finds the turn used up (`waitForTurn`), until `mockRestore`. */
export function useUpTurns() {
  const now = performance.now.bind(performance);
  let looks = 0;
  return jest.spyOn(performance, 'now').mockImplementation(() => now() + 11 * looks++);
}
