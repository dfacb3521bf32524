/** Stack in MB of the threads that compose or load supergraphs, whose libraries follow the fields of types recursively: as
 *  deep as the longest chain of types, in a large graph thousands. Node's default of 4 MB is too small for a chain of 20,000.
 *  Only the pages that are used take memory. */
export const threadStackSizeMb = 64;
