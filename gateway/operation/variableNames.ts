/** Variables that the planner adds to a subgraph's operation. A client may have named its own just so. */
const plannerVariablePattern = /^(representations$|contextualArgument_)/;

/** No client's variable keeps a name of this form. */
const clientVariablePrefix = '_client_';

/** The name of a client's variable on its way to the planner and the subgraphs. */
export function internalVariableName(name: string): string {
  return plannerVariablePattern.test(name) || name.startsWith(clientVariablePrefix)
    ? `${clientVariablePrefix}${name}`
    : name;
}

/** The name that the client gave to a variable. */
export function clientVariableName(name: string): string {
  return name.startsWith(clientVariablePrefix) ? name.slice(clientVariablePrefix.length) : name;
}
