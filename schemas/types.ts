/** The records of this folder's Avro schemas, by hand; `test/kafka/schema-types.test.ts` keeps them equal to the files. */

/** digit.avsc: a handwritten digit, 8 by 8 pixels, row by row. */
export interface Digit {
  /** Identifies the image. */
  id: string
  /** 64 grey values from 0 to 16. */
  pixels: number[]
}

/** digit-prediction.avsc: what a model says about one digit. */
export interface DigitPrediction {
  /** The id of the digit. */
  id: string
  /** The most probable digit, 0 to 9. */
  label: number
  /** One probability per digit; a view of the model's output is written as it stands, without rounding. */
  probabilities: number[] | Float32Array
  /** The model that really produced this prediction. */
  modelId: string
}
