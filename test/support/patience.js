// For processes over emulators: no call is given up after the second or so that it has where a device waits
// for the answer. How long DynamoDB Local takes on a busy machine says nothing about us.
{
  const { timeout } = AbortSignal;
  AbortSignal.timeout = (ms) => timeout.call(AbortSignal, 60 * ms);
}
