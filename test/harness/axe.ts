import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** The findings of axe on a page: the id of each rule, with the elements that break it. */
export async function findAxeViolations(page: Page): Promise<readonly (readonly [string, ...string[]])[]> {
  // The content security policy of the page allows no further script element.
  await page.evaluate(axe.source);
  const { violations } = (await page.evaluate('axe.run()')) as axe.AxeResults;
  return violations.map(({ id, nodes }) => [id, ...nodes.map(({ html }) => html)]);
}
