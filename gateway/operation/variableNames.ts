/** Names of variables that the planner adds to subgraph operations. Client variables may have the same names. */
const plannerVariablePattern = /^(representations$|contextualArgument_)/;

/** No client variable has a name of this form after renaming. */
const clientVariablePrefix = '_client_';

/** The name of a client variable in documents for the planner and the subgraphs. */
export function internalVariableName(name: string): string {
  return plannerVariablePattern.test(name) || name.startsWith(clientVariablePrefix)
    ? `${clientVariablePrefix}${name}`
    : name;
}

/** The client's name of a variable, the inverse of `internalVariableName`. */
export function clientVariableName(name: string): string {
  return name.startsWith(clientVariablePrefix) ? name.slice(clientVariablePrefix.length) : name;
}
