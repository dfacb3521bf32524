interface TabDefinition {
  readonly query: string | null;
}

/** The text of the tab that opens without prepared ones. */
export function startTab(selection: string): string {
  return `# Write an operation here. Ctrl+Space lists what
# is possible, Ctrl+Enter runs the operation, and
# after Ctrl+M Tab leaves the editor. The first
# button of the page has the documentation.
#
# ... @defer(label: "slow") { … } lets the
# response begin without the fields in it. They
# follow on the same response: see the time line
# below the answer.
#
# security.graphiqlTabs prepares such tabs.
query Start ${selection}
`;
}

/** Until the schema is read. */
export const unreadStartTab = startTab('{\n  __typename\n}');

/** GraphiQL's own key. */
const tabsKey = 'graphiql:tabState';
/** The prepared tabs that were opened last. */
const preparedKey = 'tributary:preparedTabs';

/** The tabs to open; `undefined` for those of the last visit. Prepared tabs that are new open once, before the tabs of
 *  the last visit that differ from all prepared ones. */
export function tabsToOpen(prepared: readonly string[], storage: Storage): TabDefinition[] | undefined {
  const queries = prepared.length === 0 ? [unreadStartTab] : prepared;
  const opened = storage.getItem(preparedKey);
  const text = JSON.stringify(queries);
  if (opened === text && storage.getItem(tabsKey) !== null) return undefined;
  const known = new Set([...queries, ...(JSON.parse(opened ?? '[]') as string[])]);
  const own = readTabs(storage).filter(({ query }) => Boolean(query) && !known.has(query as string));
  storage.removeItem(tabsKey);
  storage.setItem(preparedKey, text);
  return [...queries.map((query) => ({ query })), ...own];
}

/** Opens the prepared tabs again. Changed ones stay open beside them. */
export function restoreTabs(storage: Storage): void {
  storage.removeItem(preparedKey);
  location.assign(location.pathname);
}

function readTabs(storage: Storage): readonly TabDefinition[] {
  try {
    const { tabs } = JSON.parse(storage.getItem(tabsKey) ?? '') as { tabs?: unknown };
    return Array.isArray(tabs) ? tabs : [];
  } catch {
    return [];
  }
}
