"""Counts the words of one HDFS file into another: read, shuffled and written by the executors."""

import sys

from pyspark import SparkContext

source, target = sys.argv[1:3]
with SparkContext(appName="words") as context:
    words = context.textFile(source, 2).flatMap(str.split)
    words.map(lambda word: (word, 1)).reduceByKey(lambda a, b: a + b, 2).saveAsTextFile(target)
    print("counted", context.textFile(target).count(), "words as", context.sparkUser())
