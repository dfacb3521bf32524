/** Carries an operation's faults to the subgraphs, see `Faults.read`. */
export const faultsHeader = 'x-faults';

/** Names the operation that a request belongs to, where its fields share a state. */
export const trialHeader = 'x-trial';
