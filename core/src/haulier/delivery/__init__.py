"""From a response to a decision. Pure: judging, retrying and stopping are values in, values out; the driver acts."""
