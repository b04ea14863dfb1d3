// Finds the tensor of a block in a table of trained-tensor.ts, and the place of an element in its buffer.
const WIDTH = 12u;

// Start of the row whose blocks hold this one: the last whose first block is not behind it.
fn row_of(block: u32, rows: u32) -> u32 {
  var low = 0u;
  var high = rows;
  while (high - low > 1u) {
    let middle = (low + high) / 2u;
    if (table[middle * WIDTH] <= block) { low = middle; } else { high = middle; }
  }
  return low * WIDTH;
}

fn place_of(row: u32, index: u32) -> u32 {
  let n1 = table[row + 3u];
  let n2 = table[row + 4u];
  let n3 = table[row + 5u];
  let j = index % n3;
  let lines = index / n3;
  let i = lines % n2;
  let matrices = lines / n2;
  return table[row + 2u] + (matrices / n1) * table[row + 6u] + (matrices % n1) * table[row + 7u]
    + i * table[row + 8u] + j * table[row + 9u];
}
