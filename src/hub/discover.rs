//! temp
//! temp
