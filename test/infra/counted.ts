// What the arithmetic of costs takes for counted, and where it was.

/** By test/dynamodb/counts.test.ts: the table and its indexes. */
export const enrolment = {
  requests: 4,
  seconds: 0.25,
  units: { writeUnits: 26 + 12, readUnits: 5 },
};

/** By test/infra/deployment.test.ts, while nothing was due; of one CA, each minute. */
export const upkeep = { seconds: 0.5, units: { writeUnits: 8, readUnits: 92 } };
