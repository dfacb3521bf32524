/** Keeps the tabs of GraphiQL readable for assistive technology. GraphiQL gives the role `tab` to list items that contain two
 *  buttons, which a tab must not. Here they are a list of buttons, of which one is current. */
export function keepTabSemantics(container: Element): void {
  const observer = new MutationObserver(update);
  update();

  function update(): void {
    observer.disconnect();
    for (const list of container.querySelectorAll('.graphiql-tabs')) {
      list.removeAttribute('role');
      for (const item of list.querySelectorAll('.graphiql-tab')) {
        item.removeAttribute('role');
        item.removeAttribute('aria-selected');
        const [button, close] = item.querySelectorAll('button');
        const isCurrent = item.classList.contains('graphiql-tab-active');
        button?.setAttribute('aria-current', String(isCurrent));
        close?.setAttribute('aria-label', `Close tab ${button?.textContent}`);
      }
    }
    observer.observe(container, {
      childList: true,
      subtree: true,
      attributeFilter: ['role', 'class', 'aria-selected'],
    });
  }
}
