import { type QueryPlan as ApolloPlan, prettyFormatQueryPlan } from '@apollo/query-planner';
import { afterAll, describe, expect, test } from '@jest/globals';
import { printPlan } from '../../../gateway/planning/printPlan.ts';
import type { QueryPlan } from '../../../gateway/planning/queryPlan.ts';
import { createWorkerPlanner } from '../../../gateway/planning/workerPlanner.ts';
import { composeSubgraphs } from '../../harness/composeSubgraphs.ts';
import { people } from '../../harness/peopleSubgraphs.ts';
import { testPlanningLimits } from '../../harness/testPlanningLimits.ts';

const planner = await createWorkerPlanner({ sdl: await composeSubgraphs(people), ...testPlanningLimits });
afterAll(() => planner.close());

const plan = (document: string): Promise<QueryPlan> => planner.plan({ document, shouldSplitDefer: true });

const nested = `
  {
    me {
      name
      ... @defer(label: "reviews") {
        reviews { body ... @defer(label: "authors") { author { name } } }
      }
    }
    users { id }
  }`;

describe('a printed plan', () => {
  test('shows deferred parts with their dependencies', async () => {
    expect(printPlan(await plan(nested))).toBe(`\
QueryPlan {
  Defer {
    Primary {
      {
        me {
          name
        }
        users {
          id
        }
      }:
      Fetch(service: "accounts", id: 0) {
        {
          me {
            __typename
            name
            id
          }
          users {
            id
          }
        }
      }
    }, [
      Deferred(depends: [0], path: "me", label: "reviews") {
        Defer {
          Primary {
            {
              reviews {
                body
              }
            }:
            Flatten(path: "me") {
              Fetch(service: "reviews", id: 1) {
                {
                  ... on User {
                    __typename
                    id
                  }
                } =>
                {
                  ... on User {
                    reviews {
                      body
                      author {
                        __typename
                        id
                      }
                    }
                  }
                }
              },
            }
          }, [
            Deferred(depends: [1], path: "me/reviews", label: "authors") {
              {
                author {
                  name
                }
              }:
              Flatten(path: "me.reviews.@.author") {
                Fetch(service: "accounts") {
                  {
                    ... on User {
                      __typename
                      id
                    }
                  } =>
                  {
                    ... on User {
                      name
                    }
                  }
                },
              }
            },
          ]
        }
      },
    ]
  },
}`);
  });

  test.each([
    ['a sequence', '{ me { reviews { author { name } } } }'],
    ['parallel fetches', '{ me { reviews { body } friend { reviews { body } } } }'],
    ['a mutation', 'mutation { review(body: "a") { author { name } } }'],
    ['a subscription', 'subscription { reviewed { author { name } } }'],
    ['no fetch', '{ __typename }'],
  ])("equals the planner's own output: %s", async (_what, document) => {
    const made = await plan(document);
    expect(printPlan(made)).toBe(prettyFormatQueryPlan(structuredClone(made) as ApolloPlan));
  });
});
