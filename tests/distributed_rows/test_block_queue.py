"""Blocks of examples are dealt so that every one of them is learned, whoever dies or falls behind."""

import random

from hashslide.distributed.ray.blocks import BlockQueue


def learn_all(queue, n_replicas, seconds=1.0):
    """Let replicas of one speed learn until nothing is left; return who learned which."""
    dealt, now = [], 0.0
    while not queue.is_done:
        taken = {replica: queue.take(replica, now) for replica in range(n_replicas)}
        now += seconds
        for replica, block in taken.items():
            if block is not None:
                dealt.append((replica, block))
                queue.finish(replica, now)
    return dealt


def test_each_epoch_deals_each_example_once_in_an_order_of_its_own():
    queue = BlockQueue(n_rows=1003, block_rows=100, epochs=range(2, 5), seed=7)
    dealt = [block for _, block in learn_all(queue, 3)]
    orders = []
    for epoch in (2, 3, 4):
        blocks = [block for block in dealt if block.epoch == epoch]
        rows = [row for block in blocks for row in range(block.first, block.last)]
        assert sorted(rows) == list(range(1003))
        orders.append([block.number for block in blocks])
    assert orders[0] != orders[1] != orders[2]


def test_the_same_seed_deals_the_same_order():
    orders = [[block for _, block in learn_all(BlockQueue(500, 10, range(2), seed), 1)] for seed in (1, 1, 2)]
    assert orders[0] == orders[1] != orders[2]


def test_the_block_of_a_dead_replica_goes_to_another():
    queue = BlockQueue(n_rows=40, block_rows=10, epochs=range(1), seed=0)
    lost = queue.take(0, 0.0)
    assert queue.lose(0) == lost
    assert queue.take(1, 0.0) == lost
    assert queue.lose(7) is None, "it had none"


def test_a_slow_replica_gets_fewer_blocks_and_its_late_block_is_dealt_again():
    queue = BlockQueue(n_rows=200, block_rows=10, epochs=range(1), seed=0)
    stuck = queue.take(0, 0.0)
    now, again = 0.0, []
    while not queue.is_done:
        block = queue.take(1, now)
        again.append(block)
        now += 1.0
        queue.finish(1, now)
    assert again.count(stuck) == 1, "it was taken over, once"
    assert len(again) == 20, "the other replica has learned all blocks"
    assert not queue.finish(0, now), "the late replica comes second"
    assert queue.is_done


def test_a_late_block_that_is_finished_in_time_after_all_is_not_learned_twice():
    queue = BlockQueue(n_rows=60, block_rows=10, epochs=range(1), seed=0)
    queue.take(0, 0.0)
    for second in range(3):
        queue.take(1, float(second))
        queue.finish(1, second + 1.0)
    assert queue.overdue(50.0) == [0]
    assert queue.overdue(51.0) == [], "it is late once only"
    assert queue.finish(0, 52.0)
    rest = [queue.take(1, 53.0), queue.take(2, 53.0)]
    assert len({block.number for block in rest}) == 2
    assert queue.take(3, 53.0) is None, "what the late replica has finished is not dealt again"


def test_until_it_is_known_how_long_a_block_takes_the_first_patience_counts():
    queue = BlockQueue(n_rows=100, block_rows=10, epochs=range(1), seed=0, first_patience=15.0)
    block = queue.take(0, 0.0)
    assert queue.overdue(14.9) == []
    assert queue.overdue(15.1) == [0]
    assert queue.take(1, 16.0) == block


def test_a_block_that_was_late_and_whose_replica_dies_then_is_dealt_only_once_more():
    queue = BlockQueue(n_rows=40, block_rows=10, epochs=range(1), seed=0)
    late = queue.take(0, 0.0)
    for second in range(3):
        queue.take(1, float(second))
        queue.finish(1, second + 1.0)
    assert queue.overdue(100.0) == [0]
    assert queue.lose(0) is None
    assert [queue.take(1, 100.0), queue.take(2, 100.0)] == [late, None]


def test_whatever_happens_all_examples_are_learned():
    chance = random.Random(3)
    for trial in range(50):
        queue = BlockQueue(n_rows=230, block_rows=10, epochs=range(2), seed=trial)
        alive, busy, now = set(range(5)), {}, 0.0
        while not queue.is_done:
            now += chance.random()
            for replica in sorted(alive - set(busy)):
                if block := queue.take(replica, now):
                    busy[replica] = block
            for replica in sorted(busy):
                if chance.random() < 0.1 and len(alive) > 1:
                    alive.discard(replica)
                    busy.pop(replica)
                    queue.lose(replica)
                elif chance.random() < 0.2 + 0.1 * replica:
                    busy.pop(replica)
                    queue.finish(replica, now)
        assert all(queue.is_learned(epoch) for epoch in range(2))
