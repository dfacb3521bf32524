import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** The findings of axe on a page: the id of each rule, with the elements that break it. */
export async function findAxeViolations(page: Page): Promise<readonly (readonly [string, ...string[]])[]> {
  // The content security policy of the page allows no further script element. axe stays until the page loads again.
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(axe.source);
  // Only the findings leave the page: complete results would take a second or two to be serialized.
  return page.evaluate(async () => {
    const { run } = (window as unknown as { axe: { run: typeof axe.run } }).axe;
    const { violations } = await run(document, { resultTypes: ['violations'] });
    return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
  });
}
